"""The words of measuring: frozen values and the error family. Plain Python only."""
