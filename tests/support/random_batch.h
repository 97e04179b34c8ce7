/* Random schemas and batches: what property tests of everything that moves columns start from.
 *
 *     support_random random = support_random_open("parquet.prop_write");
 *     struct ArrowSchema schema;
 *     support_random_schema(&random, pool, &(support_batch_options){0}, &schema);
 *     struct ArrowArray batch;
 *     support_random_batch(&random, pool, &schema, &(support_batch_options){0}, 1000, &batch);
 *
 * Any failure in here fails the test. Equal seeds and options give equal batches. */
#ifndef STOA_TESTS_RANDOM_BATCH_H
#define STOA_TESTS_RANDOM_BATCH_H

#include "arrow/layout.h"
#include "support.h"

#define SUPPORT_KIND(kind) (UINT64_C(1) << (kind))
/// Everything that stoa_builder_create takes.
#define SUPPORT_KINDS_ALL                                                                          \
    ((SUPPORT_KIND(STOA_ARROW_DENSE_UNION) - 1))
#define SUPPORT_KINDS_NESTED                                                                       \
    (SUPPORT_KIND(STOA_ARROW_LIST) | SUPPORT_KIND(STOA_ARROW_LARGE_LIST) |                         \
     SUPPORT_KIND(STOA_ARROW_FIXED_LIST) | SUPPORT_KIND(STOA_ARROW_STRUCT) |                       \
     SUPPORT_KIND(STOA_ARROW_MAP))
#define SUPPORT_KINDS_VIEWS                                                                        \
    (SUPPORT_KIND(STOA_ARROW_STRING_VIEW) | SUPPORT_KIND(STOA_ARROW_BINARY_VIEW))
#define SUPPORT_KINDS_FLAT (SUPPORT_KINDS_ALL & ~SUPPORT_KINDS_NESTED)
#define SUPPORT_KINDS_INTEGERS                                                                     \
    (SUPPORT_KIND(STOA_ARROW_UINT64 + 1) - SUPPORT_KIND(STOA_ARROW_INT8))

/// All-zero stands for the defaults in brackets.
typedef struct support_batch_options {
    uint64_t kinds;           /* SUPPORT_KIND(…) | …  [SUPPORT_KINDS_ALL] */
    int column_count;         /* [1 to 8] */
    int depth;                /* levels of nesting below a column [3] */
    int null_percent;         /* of nullable values; -1: none [a different one for each column] */
    int decimal_width_max;    /* bytes of the widest decimal [32] */
    bool no_dictionaries;     /* [one column in six] */
    bool no_required;         /* all fields nullable [one in four is not] */
    bool no_special_floats;   /* [NaN, infinities, -0.0 and subnormals occur] */
    bool no_negative_scales;  /* of decimals [they occur] */
} support_batch_options;

/// A batch's schema: a struct of columns "c0", "c1", … Times of day are within the day, dates and
/// timestamps between the years 1700 and 2250, keys of one map differ, strings are UTF-8.
void support_random_schema(support_random *random, stoa_pool *pool,
                           const support_batch_options *options, struct ArrowSchema *out);
/// `rows` rows for a schema of any origin, made by a builder.
void support_random_batch(support_random *random, stoa_pool *pool,
                          const struct ArrowSchema *schema, const support_batch_options *options,
                          int64_t rows, struct ArrowArray *out);

#endif
