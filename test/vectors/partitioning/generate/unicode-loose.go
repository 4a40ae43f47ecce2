// Collation keys as Vitess' unicode_loose vindexes make them: hexadecimal text on standard input, hexadecimal keys on standard output.
// apt-get install golang-go golang-golang-x-text-dev; GO111MODULE=off GOPATH=/usr/share/gocode go run unicode-loose.go
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

func main() {
	collator := collate.New(language.English, collate.Loose)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		text, err := hex.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		var buffer collate.Buffer
		fmt.Printf("%x\n", collator.Key(&buffer, bytes.TrimRight(text, " ")))
	}
}
