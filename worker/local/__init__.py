"""Local features: keypoints of images, their visual words, and the places where a query is found.

Pure: numpy, OpenCV and Pillow only. No Redis, no Qdrant, no torch.
"""
