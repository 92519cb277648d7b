package kernel

import "golang.org/x/sys/cpu"

// supported returns the instruction sets of this machine, the best first.
func supported() []isa {
	x := &cpu.X86
	sets := []isa{portable}
	if x.HasAVX2 && x.HasFMA {
		sets = []isa{avx2, portable}
		if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512DQ {
			sets = []isa{avx512, avx2, portable}
		}
	}
	return sets
}
