/* Where predicates come from: what the engine will filter away anyhow, told before the scan is
 * planned, so that files and parts without such rows are never opened.
 *
 * How an engine shows its filters differs from version to version (1.5 as JSON of the optimized
 * plan), so there is a provider for each. A predicate is used for skipping only: the engine keeps
 * applying all of its filters, and a provider that sees nothing is always right. */
#ifndef STOA_SQL_PREDICATE_PROVIDER_H
#define STOA_SQL_PREDICATE_PROVIDER_H

#include "sql/view.h"

struct predicate_provider {
    const char *version_prefix; /* "v1.5." */

    /// Fills view->prunings with one entry for each reference that `sql` makes to our tables, in
    /// the order in which the engine binds them. A failure to understand the plan is no error: the
    /// list is then empty. `sql` has no parameters left, and is a query.
    stoa_status (*find)(struct view *view, duckdb_connection connection, const char *sql,
                        stoa_error *err);
};

/// The provider for the engine's version, or NULL.
const struct predicate_provider *stoa_sql_predicate_provider(const struct duckdb_api *api);

extern const struct predicate_provider stoa_sql_predicate_provider_v1_5;

#endif
