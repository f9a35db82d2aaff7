/*
 * What the name of a metric says about which way is better.
 */
#ifndef MR_METRIC_H
#define MR_METRIC_H

#include "base/measure.h"

extern MrDirection mr_metric_direction(const char *name, size_t len);

#endif							/* MR_METRIC_H */
