/* json_unknown.c - members of a request that nobody knows. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/http/json.h"
#include "fcgi-app/http/json_input.h"

enum { NAME_BYTES = 32 };

/* How many letters must be changed, added or left out to make one of the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_BYTES + 1];
	size_t length = strlen(b);

	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			unsigned change = diagonal + (*a != b[j - 1]);
			unsigned other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < other ? change : other;
		}
	}
	return row[length];
}

static void refuse_one(struct input *input, struct text key, const struct input_names *names)
{
	struct text text = input_key(input, key);
	const char *nearest = names->list[0];
	char name[NAME_BYTES], message[120];
	unsigned least = UINT_MAX;

	snprintf(name, sizeof name, "%.*s", (int)utf8_cut(text.data, text.length, sizeof name - 1),
		 text.data ? text.data : "");
	for (size_t i = 0; i < names->count; i++) {
		unsigned away = distance(name, names->list[i]);

		if (strlen(names->list[i]) <= NAME_BYTES && away < least) {
			least = away;
			nearest = names->list[i];
		}
	}
	snprintf(message, sizeof message, "is not known here; the nearest that is: \"%s\"",
		 nearest);
	input_wrong(input, name, message);
}

void input_refuse_unknown(struct input *input)
{
	const struct input_names *names =
		input->inside.data ? &input->inside_names : &input->root_names;
	struct json_walk walk;
	struct text key, value;

	if (!json_walk_open(input->inside.data ? input->inside : input->root, &walk))
		return;
	while (input->wrong < INPUT_ERRORS_MAX && json_walk_next(&walk, &key, &value)) {
		bool known = false;

		for (size_t i = 0; i < names->count && !known; i++)
			known = json_key_is(key, names->list[i]);
		if (!known && names->count)
			refuse_one(input, key, names);
		else if (!known)
			input_wrong(input, "body", "has a member, and none is known here");
	}
}
