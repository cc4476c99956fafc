"""How far what a server is asked, and what it answers, has moved from what its model was trained and measured on."""
