// Package web is the live page of `patchlab serve`: the runs of a tracking
// database, each run with its curves, and the comparison that package compare
// makes.
//
//	handler := server.New(db, server.Options{Pages: web.New(db, web.Options{})})
//
// Everything is drawn by the server and works without JavaScript: links sort
// and turn pages, forms search, smooth, zoom and edit. page.js adds to it: rows
// are appended while scrolling, curves grow while a run goes on, hovering shows
// values, dragging zooms.
//
// # What is live
//
// A page opens a stream of server-sent events, which says that a run changed;
// the page then fetches the parts that the server draws anew. The server looks
// at the few runs that the page shows as running, once in Options.Interval.
//
// # What a reader can ask for
//
// One comparison is built at a time, over the latest 5,000 of the runs found; who
// asks meanwhile waits, for half a minute at most.
//
// # What is trusted
//
// Nothing that a request, or a run, holds. IDs only look things up in the
// database. All text goes through html/template, notes through goldmark with
// raw HTML left out. The Content-Security-Policy allows this handler's own
// script, style and pictures and nothing else; artifacts are sent sandboxed, so
// that a recorded SVG or HTML file runs no script.
//
// Changes are POSTed forms. There are no cookies, but behind HTTP Basic
// authentication, or on loopback without any, a browser would send a foreign
// page's form as willingly as ours. The server's guard refuses requests whose
// Origin or Sec-Fetch-Site names another site, links that somebody follows
// excepted, and lets pass those that name none, for programs send neither. Forms come from browsers, and every browser
// of the last years sends Origin with a POST; so here a POST has to say that it
// comes from this host, by one header or the other, and one that says nothing is
// refused. That makes tokens in forms needless: a foreign page can neither
// leave out nor forge these headers.
package web
