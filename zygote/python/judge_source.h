/* judge_source.h - judge_data.py and judge.py, as the build makes an array of them. */
#ifndef VIVARIUM_JUDGE_SOURCE_H
#define VIVARIUM_JUDGE_SOURCE_H

extern const char judge_source[]; /* ends in a NUL */

#endif
