/* The link from a pool to the registry that hangs on it or on one above; for resource.c alone. */
#ifndef STOA_MEM_POOL_REGISTRY_H
#define STOA_MEM_POOL_REGISTRY_H

#include "mem/resource.h"

void stoa_pool_set_resources(stoa_pool *pool, stoa_resources *resources);
/// The nearest on the way to the root, or NULL.
stoa_resources *stoa_pool_resources(const stoa_pool *pool);

#endif
