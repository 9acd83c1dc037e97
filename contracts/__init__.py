"""The language: frozen structs, closed enums, subjects and codec; no behaviour beyond validation."""
