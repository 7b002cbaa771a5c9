// Package syntax turns SQL text into statements and trees, and changes text at
// known places.
//
// It knows the grammar and nothing of AWS. SELECT trees come from DuckDB's own
// parser as JSON (json_serialize_sql) and are decoded here into small nodes:
// nobody else sees DuckDB's tree. What DuckDB doesn't serialize, a lexer cuts
// up: scripts into statements, CREATE … AS and COPY down to their query. Such
// a cut blanks out text and never moves it, so that every offset of a tree is
// an offset into what the user wrote.
//
// Nothing found in a tree is dropped: expressions and queries in places that
// this package does not know by name are kept, for a table that goes unnoticed
// would be a wrong answer.
package syntax
