/* Archives, with headers whose checksums are right, so that more than those is tried. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/files/tar.h"
#include "fcgi-app/http/answer.h"
#include "fcgi-app/http/json.h"
#include "tests/fuzz/fuzz.h"

static char plain[4 * TAR_BLOCK], extended[6 * TAR_BLOCK];

const struct fuzz_seed fuzz_seeds[] = {
	{ plain, sizeof plain },       { extended, sizeof extended },
	FUZZ_SEED("bytes=0-499,-500"), FUZZ_SEED("W/\"a\", \"1-2-3\",*"),
	FUZZ_SEED("AAECAw=="),
};
const size_t fuzz_seed_count = sizeof fuzz_seeds / sizeof *fuzz_seeds;

static void make_header(char *block, const char *name, char type, const char *size)
{
	struct tar_header *header = (struct tar_header *)(void *)block;

	strcpy(header->name, name);
	strcpy(header->mode, "0000644");
	strcpy(header->size, size);
	strcpy(header->modified, "07346545000");
	memcpy(header->magic, "ustar", 6);
	header->type = type;
}

__attribute__((constructor)) static void make_seeds(void)
{
	make_header(plain, "folder/", '5', "00000000000");
	make_header(plain + TAR_BLOCK, "folder/file", '0', "00000000005");
	strcpy(plain + 2 * TAR_BLOCK, "bytes");
	make_header(plain + 3 * TAR_BLOCK, "link", '2', "00000000000");
	make_header(extended, "pax", 'x', "00000000043");
	strcpy(extended + TAR_BLOCK, "14 path=a/b/c\n9 size=5\n12 mtime=1.5\n");
	make_header(extended + 2 * TAR_BLOCK, "cut", '0', "00000000005");
	make_header(extended + 4 * TAR_BLOCK, "long", 'L', "00000000010");
	strcpy(extended + 5 * TAR_BLOCK, "a/long/name");
}

/* Every block gets the sum that it would need as a header. */
static void sign(uint8_t *archive, size_t size)
{
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
		struct tar_header *header = (struct tar_header *)(void *)(archive + at);
		unsigned sum = 0;

		if (!header->name[0])
			continue;
		memset(header->checksum, ' ', sizeof header->checksum);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += archive[at + i];
		snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
	}
}

static void check_archive(const uint8_t *archive, size_t size)
{
	struct tar_reader reader = TAR_READER(archive, size);
	struct tar_member member;
	size_t members = 0;
	int got;

	while ((got = tar_next(&reader, &member)) == 1) {
		const uint8_t *content = member.content;

		FUZZ_HOLDS(++members <= size / TAR_BLOCK);
		FUZZ_HOLDS(member.type == TAR_FILE || member.size == 0);
		FUZZ_HOLDS(content >= archive && content <= archive + size);
		FUZZ_HOLDS(member.size <= (size_t)(archive + size - content));
	}
	FUZZ_HOLDS(got == 0 || (got == -EINVAL && reader.wrong));
	tar_reader_free(&reader);
}

static void check_words(const char *string)
{
	const struct stat file = { .st_size = 100 };
	AUTO_BUFFER decoded = BUFFER_INIT(0);
	uint64_t first = 0, length = 0;

	if (range_read(string, 100, &first, &length) == RANGE_PART)
		FUZZ_HOLDS(length && first < 100 && length <= 100 - first);
	(void)if_match_holds(string, &file);
	(void)if_none_match_holds(string, &file);
	if (!base64_decode(text_of(string), &decoded))
		FUZZ_HOLDS(decoded.length <= strlen(string) / 4 * 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	FUZZ_HOLDS(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	check_words((const char *)copy);
	check_archive(copy, size);
	sign(copy, size);
	check_archive(copy, size);
	free(copy);
	return 0;
}
