"""Pictures: data in, a matplotlib ``Figure`` out; nothing is computed, shown or saved here."""
