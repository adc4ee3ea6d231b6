package course_test

import (
	"fmt"

	"patchlab/models"
	"patchlab/notebooks/course"
)

func ExampleModel() {
	c := course.Model("mixer:1,vit(heads=1):1", func(c *models.Config) { c.Position = true })
	fmt.Println(c.ID, c.Tokens(), "tokens of", c.Dim)
	// Output: mixer:1,vit(heads=1):1 64 tokens of 32
}

func ExampleClaim() {
	with, without := []float64{36.9, 38.1, 37.5}, []float64{31.0, 33.1, 31.6}
	course.Claim("Attention helps.", "accuracy with it less that without, in points:", course.Less(with, without), 0)
	course.Claim("It helps by 6 points and more.", "the same:", course.Less(with, without), 6)
	course.Claim("It costs less.", "its time, relative:", course.Ratio([]float64{1, 1.02, .99}, []float64{2, 2.01, 2.01}), 1)
	course.Claim("One seed is enough.", "accuracy, in points:", []float64{31}, 10)
	// Output:
	// > *Attention helps.*
	// >
	// > Measured: accuracy with it less that without, in points: +5.6, 95 % interval +4.31 to +6.89 (each: +5.9, +5, +5.9). The claim asks for more than 0.
	// >
	// > **It holds here.**
	// > *It helps by 6 points and more.*
	// >
	// > Measured: the same: 5.6, 95 % interval 4.31 to 6.89 (each: 5.9, 5, 5.9). The claim asks for more than 6.
	// >
	// > **Not shown here**: 6 lies within the interval.
	// > *It costs less.*
	// >
	// > Measured: its time, relative: 0.5, 95 % interval 0.481 to 0.519 (each: 0.5, 0.507, 0.493). The claim asks for more than 1.
	// >
	// > **Here it is the other way round.**
	// > *One seed is enough.*
	// >
	// > Measured: accuracy, in points: 31 with one seed. The claim asks for more than 10.
	// >
	// > **Not shown here**: one value has no spread. Train more seeds.
}
