# nbgrader's settings for the six notebooks; docs/notebooks.md shows the commands.
c = get_config()
c.CourseDirectory.course_id = "patchlab"
c.CourseDirectory.source_directory = "answers"
c.ClearSolutions.code_stub = {"go": "// YOUR CODE HERE\npanic(course.Todo())"}
c.Execute.timeout = 1800  # seconds a cell: some train networks, and 30 are the default
