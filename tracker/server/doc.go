// Package server speaks MLflow's tracking protocol over a tracking database,
// so that Python code with the unmodified mlflow client records into it.
//
//	handler := server.New(db, server.Options{})
//	err := server.Serve(ctx, listener, handler)
//
// # What is trusted
//
// Nothing that a client sends. Requests must name a host that the server
// answers for and come from no other web site; beyond loopback they must carry
// a token. Bodies, batches, artifacts and waiting times are bounded. Names of
// artifacts are keys in the database, never paths: content lies under its
// digest. Nothing is fetched, unpickled or executed. What is not known is
// refused.
//
// # What differs from MLflow's server
//
// Run IDs are ULIDs; IDs of experiments are numbers of this database. Logged
// models belong to a run: their files are its artifacts below .models, their
// records its tags. There is no model registry and there are no traces.
package server
