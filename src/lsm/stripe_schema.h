/* Reading stripes that were written under an older schema of their table. Fields are found by their ids:
 * those that came later are null, those that were dropped are passed over, a name does not matter, and
 * a type that was widened since is widened when it is read. The key's columns do not change. */
#ifndef STOA_LSM_STRIPE_SCHEMA_H
#define STOA_LSM_STRIPE_SCHEMA_H

#include "lsm/stripe.h"

typedef struct stoa_stripe_schema {
    const stoa_stripe_layout *table;
    stoa_stripe_layout file; /* how the stripes lie */
    stoa_key_format key;     /* the file's */
    const stoa_schema *schema;
    int32_t *nodes; /* for each of the table's, the file's that has its values; -1: none */
    stoa_arena arena;
} stoa_stripe_schema;

/// Says where the fields of a table are in stripes of `schema`.
///
/// Errors   STOA_INVALID      a column of the key is missing or of another type; a required field is
///                            missing or was not required; a type that does not hold the old one's values
///          STOA_UNSUPPORTED  a change of the unit of times
/// Owns     Borrows `table`; keeps a reference to `schema`. The caller releases `out`.
STOA_MUST_USE stoa_status stoa_stripe_schema_init(stoa_stripe_schema *out, stoa_pool *pool,
                                                  const stoa_stripe_layout *table,
                                                  const stoa_schema *schema, stoa_error *err);
void stoa_stripe_schema_release(stoa_stripe_schema *schema);

/// The column of the file that a column of the table is read from; -1: none.
int32_t stoa_stripe_schema_column(const stoa_stripe_schema *schema, int32_t column);

/// A bound of the file's column as one of the table's: the first 8 bytes of its key form, as stoa_zone has
/// them. False: nothing is known.
bool stoa_stripe_schema_bound(const stoa_stripe_schema *schema, int32_t column, uint64_t *bound);

/// Whether values of one type have to be changed to be values of the other.
bool stoa_stripe_type_changed(const stoa_type *from, const stoa_type *to);
/// Changes `count` of them, of types that stoa_stripe_schema_init has accepted.
void stoa_stripe_values_widen(const stoa_type *from, const stoa_type *to, const void *source,
                              int64_t count, void *out);

#endif
