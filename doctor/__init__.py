"""`python app.py doctor`: is all set up so that calls connect and are recorded? Each step says how to mend what it finds."""
