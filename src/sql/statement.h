/* What a statement is, and for those that change our tables: its parts. */
#ifndef STOA_SQL_STATEMENT_H
#define STOA_SQL_STATEMENT_H

#include <stoa/state.h>

#include "sql/tokens.h"

enum statement_kind {
    STATEMENT_QUERY,  /* rows from DuckDB, whose filters are worth looking at */
    STATEMENT_ENGINE, /* anything else that DuckDB does by itself */
    STATEMENT_INSERT,
    STATEMENT_DELETE,
    STATEMENT_UPDATE,
    STATEMENT_TRUNCATE,
    STATEMENT_CREATE_TABLE,
    STATEMENT_CREATE_TABLE_AS,
    STATEMENT_DROP_TABLE,
    STATEMENT_RENAME_TABLE,
    STATEMENT_ALTER_TABLE, /* a column of it */
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_SHOW_TABLES,
    STATEMENT_SHOW_ALL_TABLES
};

/* Bytes of the statement's text; begin == end is none. */
struct text_range {
    size_t begin;
    size_t end;
};

struct assignment {
    const char *column;
    struct text_range expression;
    bool is_default;
};

struct statement {
    enum statement_kind kind;
    char label[32]; /* "SELECT", "CREATE TABLE", … */
    const char *table;
    size_t table_at;      /* where its name stands */
    const char *alias;    /* of DELETE and UPDATE; NULL: the table's name */
    const char *new_name; /* RENAME … TO */
    stoa_state_alteration_kind alteration; /* of a column: */
    const char *column;                    /* all but ADD */
    bool or_replace;
    bool if_exists; /* or if_not_exists */
    bool temporary; /* CREATE TEMP …: DuckDB's own from now on */
    bool by_name;   /* INSERT … BY NAME */
    bool default_values;
    const char *partition; /* PARTITIONED BY (…); NULL: none */
    const char *key;       /* the columns of PRIMARY KEY, quoted; NULL: none */
    bool no_data;         /* CREATE TABLE … AS … WITH NO DATA */
    const char **columns; /* of INSERT and CREATE TABLE AS; NULL: none are listed */
    int32_t column_count;
    struct text_range with; /* "WITH x AS (…)" before INSERT */
    struct text_range body; /* the query; the columns of CREATE TABLE, without brackets; the one that is
                               added; the type that it gets */
    struct text_range where;
    struct assignment *assignments;
    int32_t assignment_count;
    const char **tables; /* of DROP TABLE a, b */
    int32_t table_count;
};

/// Reads a statement. Everything that `out` points to is in the arena.
///
/// Errors   STOA_INVALID      empty, more than one statement, or not the grammar of its kind, with
///                            `query_offset`
///          STOA_UNSUPPORTED  a clause that is known and not offered, named
STOA_MUST_USE stoa_status stoa_sql_statement_parse(const struct tokens *tokens, stoa_arena *arena,
                                                   struct statement *out, stoa_error *err);

#endif
