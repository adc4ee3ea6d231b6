// Package exchange carries runs out of a tracking database and into it: CSV
// and JSON for people and programs.
package exchange
