"""The steps that bring an older database to today's tables; imported only when its version differs."""
