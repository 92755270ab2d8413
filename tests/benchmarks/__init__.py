"""What strongroom costs, beside what people would use instead; see README.md.

Never part of the tests: nothing here passes or fails, and no time is asserted.
"""
