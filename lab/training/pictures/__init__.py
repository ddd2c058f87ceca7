"""What is learnt from: photos and names of kinds, boxes and views of them, canvases."""
