"""Write tables to Google Sheets."""
