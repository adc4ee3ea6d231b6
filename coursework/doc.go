// Package coursework carries graded work between a class and its teacher: it
// hands assignments out, packs what a student did into one signed file, and
// checks, collects and grades such files.
//
//	draft, err := coursework.NewDraft("02-vit.ipynb", …) // the teacher
//	course, err := coursework.Create("course", draft)
//
//	done, err := coursework.Submit(ctx, coursework.Work{Dir: "02-vit", Key: key, …}) // a student
//
//	all, err := course.Collect(ctx, files, coursework.CollectOptions{}) // the teacher again
//	copies, err := course.Copies(ctx)
//	grades, err := course.Grade(ctx, "02-vit", coursework.GradeOptions{Rerun: coursework.Command{Program: "patchlab"}.Rerun, …})
//
// # What a submission is
//
// A gzipped tar file of, in this order and with nothing besides: manifest.json,
// its Ed25519 signature, the notebook, and a tracker's database of the runs
// handed in with their artifacts. The manifest names the digest of each file and
// the results of each run. The same work, key and time give the same file, byte
// for byte.
//
// # What is checked
//
// Nothing of a file is believed before its signature is checked, nothing is
// written under a name that the file chooses, and no more is unpacked than a
// limit allows. Every digest is computed anew: of files, of runs, of artifacts.
// A file that fails is listed with the reason, and the others go on.
//
// A signature shows that whoever has the student's key made the file; a digest
// that nothing was changed since. Neither shows that a result is true: for that,
// Grade trains a random sample again. See [Course.Copies] for what it can show.
//
// # Where it lies
//
// A course's folder is laid out as nbgrader lays it out: source/ASSIGNMENT,
// release/ASSIGNMENT, submitted/STUDENT/ASSIGNMENT. Beside them are
// collected/STUDENT with the submissions, verdicts/STUDENT with our feedback,
// class.db with all runs, roster.csv with the students' keys, and the tables as CSV.
package coursework
