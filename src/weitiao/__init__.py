"""weitiao (微调, "fine-tuning"): a pretrained transformer and your labelled text in, a model you can trust and run out."""

__version__ = "0.1.0"
