/*
 * The words that names of metrics are made of.
 */
#ifndef MR_MEASURE_H
#define MR_MEASURE_H

typedef enum MrDirection
{
	MR_DIRECTION_UNKNOWN,
	MR_DIRECTION_HIGHER,
	MR_DIRECTION_LOWER
} MrDirection;

/* A measure: which way is better, and whether it counts only alone */
typedef struct MrMeasure
{
	MrDirection direction;
	bool		is_alone;		/* no word in front but places */
} MrMeasure;

extern bool mr_measure_find(const char *words, MrMeasure *measure);
extern bool mr_measure_is_place(const char *word);
extern bool mr_measure_is_kind(const char *word);
extern bool mr_measure_is_turning(const char *word);

#endif							/* MR_MEASURE_H */
