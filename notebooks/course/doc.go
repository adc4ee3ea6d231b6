// Package course is what the cells of the six notebooks share, so that a cell
// holds what it teaches and little else.
//
//	var lesson = course.Lesson{Name: "02-vit", Data: "auto", Images: 2000, Epochs: 6, Seeds: 3}
//
//	lesson.Train("one head", course.Model("vit(heads=1):1"))  // with each seed; a curve grows
//	net := lesson.Trained("one head")                         // in any later cell
//	course.Claim("Four heads are better.", "accuracy with four less that with one, in points:",
//		course.Less(lesson.Accuracy("four heads"), lesson.Accuracy("one head")), 0)
//	lesson.Compare()
//
// What was trained lies in the tracker, by its recipe: executing a cell again
// finds it there. As in all that cells call, an error ends the cell by a panic
// that says it in one sentence.
package course
