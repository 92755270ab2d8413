"""The programs that other formats come from, reading what is written here."""
