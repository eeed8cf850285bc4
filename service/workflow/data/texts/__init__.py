"""How texts become ids that a network looks up."""
