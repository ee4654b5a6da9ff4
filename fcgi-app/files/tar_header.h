/* tar_header.h - a member's header as ustar lays it out. */
#ifndef VIVARIUM_TAR_HEADER_H
#define VIVARIUM_TAR_HEADER_H

struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char modified[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char unused[12];
};

_Static_assert(sizeof(struct tar_header) == 512, "a header is one block");

#endif
