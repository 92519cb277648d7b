// Package cache keeps artifacts in a folder and maps them to memory, so that a
// restart does not download them again and processes share their pages.
//
// A file is named by the SHA-256 of its content and is never changed. Only
// artifacts of [MinFile] bytes and more are kept: smaller ones are downloaded
// faster than a file is synced, and stay in memory.
//
// # What is verified, and when
//
// The SHA-256 is computed as an artifact is downloaded; a file gets its name only
// if it is right. The file <digest>.sum then holds the file's size and
// modification time and a CRC-32C for every mebibyte.
//
// When a process opens a file of the recorded size and time, it computes the
// CRC-32C of those blocks that are used, before they are used, once: about a tenth
// of the cost of the SHA-256, which for 1 GiB would be a second of a processor at
// every restart. That finds what a disk does to a file behind its back. Where
// size or time differ, or the record is missing or damaged, somebody may have
// written the file, and the whole SHA-256 decides.
//
// A file found damaged is removed and downloaded again. What changes a file's
// bytes after they were verified is not seen: the files are read-only, and
// whoever can write to the folder nevertheless could replace the program as well.
//
// # What goes
//
// The folder has a size. An artifact that does not fit makes room: what was opened
// longest ago goes, but nothing that this process has mapped; what another process
// has mapped stays readable for it until it lets go.
//
// # Trouble
//
// A cache never keeps an artifact from being loaded. A folder that is full,
// read-only or not there, a disk without space, a lock that another process does
// not let go of: the artifact is downloaded to memory, with a warning.
//
// # Concurrency
//
// A [Cache] may be used by many goroutines, a folder by many caches and processes:
// while one downloads an artifact the others wait for it. Files written but not
// finished, by a process that was killed, are removed when room is made.
//
// Where files cannot be mapped (on Windows), they are read into memory.
package cache
