"""What people may do, by what it is about: each deed is checked and planned, nothing is changed."""
