"""Import runs of MLflow, TensorBoard, Weights & Biases and CSV files."""
