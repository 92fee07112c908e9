"""The desktop handler for 3dprint:// links. Standard library only; imports nothing from the rest."""
