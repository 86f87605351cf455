"""The files of a model: opening each form, trying it in a process of its own, and refusing unsafe ONNX."""
