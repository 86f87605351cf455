"""From a file that nobody has described to a spec that runs: what `model-release init` does.

`table` reads the file, `columns` says what each column holds, `draft` chooses and writes. What is guessed is said.
"""
