"""Data sets of images: bundled digits, anyone's folder, and torchvision's."""
