"""Pretrained folders and starters, and the network built on them: backbone, head, packing, dropout."""
