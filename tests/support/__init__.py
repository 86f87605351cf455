"""What is built or faked for tests. Each module's name says what."""
