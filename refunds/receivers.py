"""What this app does on the news of the apps to its left."""
