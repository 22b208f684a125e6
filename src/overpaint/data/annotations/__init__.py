"""Annotated objects of images, as boxes or mask pictures: COCO, Pascal VOC, YOLO, CSV, and folders of masks."""
