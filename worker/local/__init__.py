"""Local features: keypoints of images, their visual words, and the places where a query is found.

Pure: numpy, OpenCV, Pillow and our kernels only. No Redis, no Qdrant, no torch.
"""
