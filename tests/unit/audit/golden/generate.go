// Command generate writes trees.json: roots and proofs of trees whose leaf i is the text "leaf i", by
// golang.org/x/mod/sumdb/tlog, the implementation behind Go's checksum database.
//
//	go mod init golden && go get golang.org/x/mod@v0.30.0 && go run generate.go > trees.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Path  []string `json:"path"`
}

type consistency struct {
	Old  int64    `json:"old"`
	New  int64    `json:"new"`
	Path []string `json:"path"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func encode(hashes []tlog.Hash) []string {
	encoded := []string{}
	for _, hash := range hashes {
		encoded = append(encoded, hash.String())
	}
	return encoded
}

func main() {
	sizes := []int64{0, 1, 2, 255, 256, 257, 600, 65535, 65536, 65537, 70000}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i := int64(0); i < sizes[len(sizes)-1]; i++ {
		hashes := must(tlog.StoredHashes(i, []byte(fmt.Sprintf("leaf %d", i)), reader))
		stored = append(stored, hashes...)
	}
	out := struct {
		Roots       map[int64]string `json:"roots"`
		Inclusion   []inclusion      `json:"inclusion"`
		Consistency []consistency    `json:"consistency"`
	}{Roots: map[int64]string{}}
	for at, size := range sizes {
		out.Roots[size] = must(tlog.TreeHash(size, reader)).String()
		seen := map[int64]bool{}
		for _, index := range []int64{0, 255, 256, size / 2, size - 1} {
			if index < 0 || index >= size || seen[index] {
				continue
			}
			seen[index] = true
			path := must(tlog.ProveRecord(size, index, reader))
			out.Inclusion = append(out.Inclusion, inclusion{index, size, encode(path)})
		}
		for _, old := range sizes[:at] {
			if old > 0 {
				path := must(tlog.ProveTree(size, old, reader))
				out.Consistency = append(out.Consistency, consistency{old, size, encode(path)})
			}
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(out); err != nil {
		panic(err)
	}
}
