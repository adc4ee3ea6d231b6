// Package mlflow is what the server and the exchange share of MLflow's
// protocol: its JSON types, the tags in which MLflow keeps what is a field of a
// run here, and how a run keeps MLflow's logged models.
//
// A logged model is a record in a tag of the run that made it, named ModelTag
// and the model's ID; its files are artifacts of that run below
// ModelFolder(ID). The ID names the run, so that a model is found without a
// search.
package mlflow
