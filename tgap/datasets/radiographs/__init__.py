"""Tables and labels of published chest X-ray collections."""
