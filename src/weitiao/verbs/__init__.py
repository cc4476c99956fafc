"""What each verb does: one Python call that composes the rooms below; the command line only parses and prints."""
