"""Events as files, for analysts: JSON lines and Parquet, written in constant memory and renamed when whole."""
