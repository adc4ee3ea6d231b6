package course_test

import (
	"fmt"

	"patchlab/models"
	"patchlab/notebooks/course"
)

func ExampleModel() {
	c := course.Model("mixer:1,vit(heads=1):1", func(c *models.Config) { c.Position = true })
	fmt.Println(c.ID, c.Tokens(), "tokens of", c.Dim)
	// Output: mixer:1,vit(heads=1):1 64 tokens of 64
}
