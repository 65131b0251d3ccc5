"""What recording costs, beside aiortc's own MediaRecorder on the same stream in the same run, and how exact it is."""
