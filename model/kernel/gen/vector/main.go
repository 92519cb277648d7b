// Command vector writes the element-wise loops.
package main

import "github.com/mmcloughlin/avo/build"

func main() {
	build.Generate()
}
