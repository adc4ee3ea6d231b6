// Package child runs GoNB as a child process and speaks to it as its only Jupyter client, over Unix sockets in a
// private folder. It runs one cell at a time, interrupts it and whatever it has started, notices when GoNB dies, and
// leaves no process and no file behind.
//
// Cells reach the kernel past GoNB through a pipe in the file system (CellPipe names it in their environment): one
// JSON object a line, with the type and the content of a message. What was written before a cell ended is published
// before its end, and a cell that waits for an answer (CellAck) has its messages and its prints in order. The function
// that shows a cell's result uses it, and so can packages that cells import.
package child
