package gate

const (
	defaultAlpha       = 0.05
	defaultMinExamples = 500
)
